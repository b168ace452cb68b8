import { cwd, env, stderr } from 'node:process'
import { parseConnectionString } from '../../connection-string.ts'
import { NullpoolError } from '../../errors.ts'
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
  const read = () => checked(readPastedUrl(text))
  const place = `${name} in ${file ?? 'the environment'}`
  const pasted = kind === 'argument' ? read() : naming(place, read)
  return { given: { ...pasted, kind, name }, search }
}

function checked(pasted: PastedUrl): PastedUrl {
  parseConnectionString(pasted.text)
  return pasted
}

/** Puts the place of a text in front of what is wrong with it. */
export function naming<Result>(place: string, read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    if (!NullpoolError.is(cause)) throw cause
    throw new CommandFailure(`${place}: ${cause.message}`, { cause })
  }
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
    `pass one as the argument, or set ${VARIABLES.join(', ')} in the environment, .dev.vars or .env.`,
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
