import { cwd, env, stderr } from 'node:process'
import { CommandFailure } from '../failure.ts'
import { type FoundUrl, findUrl, type UrlSearch, VARIABLES } from './find-url.ts'
import { FORM_WORDS, type PastedUrl, readPastedUrl } from './pasted-url.ts'

/** The connection string of a command, as the library's own reader takes it, and where it was found. */
export type GivenUrl = PastedUrl & Pick<FoundUrl, 'kind' | 'name'>

/**
 * The connection string of the argument, else of the environment, else of a file of this folder, which is said on the
 * error output. `undefined` where there is none.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID` for a text that cannot be read.
 */
export async function lookForUrl(
  argument: string | undefined,
): Promise<{ given: GivenUrl | undefined; search: UrlSearch }> {
  const search = await findUrl(argument, { directory: cwd(), environment: env })
  const { found } = search
  if (found === undefined) return { given: undefined, search }
  const { kind, name, file, text } = found
  if (file !== undefined) stderr.write(`The connection string is ${name} of ${file}.\n`)
  return { given: { ...readPastedUrl(text), kind, name }, search }
}

/** The same, where nothing can be done without one. What else there is to do goes into the error. */
export async function givenUrl(argument: string | undefined, otherwise = ''): Promise<GivenUrl> {
  const { given, search } = await lookForUrl(argument)
  if (given !== undefined) return given
  throw new CommandFailure(`There is no connection string: ${whatToDo(search)}${otherwise}`)
}

/** Where it could stand, and what was there instead. */
export function whatToDo({ unreadable, hyperdrives: [hyperdrive] }: UrlSearch): string {
  return [
    `give one, or set ${VARIABLES.join(', ')} in the environment, .dev.vars or .env.`,
    ...unreadable.map(({ file }) => ` ${file} is there and cannot be read.`),
    ...(hyperdrive === undefined
      ? []
      : [
          ` ${hyperdrive.file} binds a Hyperdrive by its id alone: npx wrangler hyperdrive get ${hyperdrive.id} tells its origin.`,
        ]),
  ].join('')
}

/** Says on the error output what another form was taken for. */
export function tellForm({ form }: PastedUrl): void {
  if (form !== undefined) stderr.write(`The connection string is ${FORM_WORDS[form]}.\n`)
}
