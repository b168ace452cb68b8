import { CommandFailure } from './failure.ts'

/** A connection string, and the variable that it is from. */
export interface GivenUrl {
  text: string
  variable?: string
}

const VARIABLES = ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL']

/** The connection string of the argument, else that of the environment. What else there is to do goes into the error. */
export function givenUrl(argument: string | undefined, otherwise = ''): GivenUrl {
  if (argument !== undefined) return { text: argument }
  for (const variable of VARIABLES) {
    const text = process.env[variable]
    if (text) return { text, variable }
  }
  throw new CommandFailure(
    `There is no connection string: give one, or set ${VARIABLES.join(', ')}.${otherwise}`,
  )
}
