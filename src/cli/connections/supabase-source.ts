import { isLoopbackHost } from '../../connection-target.ts'
import { readPrometheusText } from './prometheus-text.ts'
import { readSupabaseMetrics, type SupabaseReading } from './supabase-metrics.ts'

const TIMEOUT_MS = 10_000
/** A project's metrics are some 300 kB. */
const MAX_BYTES = 8 * 1024 * 1024
/** The metrics themselves are renewed once a minute. */
const KEPT_MS = 30_000

/** Whose metrics, and the key to them. */
export interface SupabaseProject {
  /** Of the metrics, https except on this machine. */
  url: URL
  /** The secret key (`sb_secret_…`) or the JWT of `service_role`. */
  key: string
}

/**
 * The project that the environment names: SUPABASE_PROJECT_REF, SUPABASE_URL or the connection string, with
 * SUPABASE_SECRET_KEY or SUPABASE_SERVICE_ROLE_KEY. Without both there is none.
 *
 * @throws Error where SUPABASE_METRICS_URL would send the key in clear.
 */
export function findProject(
  environment: Readonly<Record<string, string | undefined>>,
  projectRef: string | undefined,
): SupabaseProject | undefined {
  const key = environment.SUPABASE_SECRET_KEY || environment.SUPABASE_SERVICE_ROLE_KEY
  const fromUrl = /^https:\/\/([a-z0-9]+)\.supabase\.co\/?$/.exec(environment.SUPABASE_URL ?? '')
  const ref = environment.SUPABASE_PROJECT_REF || fromUrl?.[1] || projectRef
  const elsewhere = environment.SUPABASE_METRICS_URL
  if (!key || !(elsewhere || ref)) return undefined
  if (elsewhere) return { url: checkedUrl(elsewhere), key }
  if (!/^[a-z0-9]{1,63}$/.test(ref ?? '')) {
    throw new Error(
      'SUPABASE_PROJECT_REF is the name in front of .supabase.co: letters and digits.',
    )
  }
  return { url: new URL(`https://${ref}.supabase.co/customer/v1/privileged/metrics`), key }
}

function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (url && isSafe && !url.username && !url.password) return url
  throw new Error('SUPABASE_METRICS_URL is a https:// address without a user in it.')
}

/** Reads a project's metrics, at most every 30 seconds; in between it answers what it knows. */
export class SupabaseMetrics {
  readonly #project: SupabaseProject
  #reading: SupabaseReading | undefined
  #readAt = 0
  #refusal: Error | undefined

  constructor(project: SupabaseProject) {
    this.#project = project
  }

  async read(): Promise<SupabaseReading> {
    // A key that was refused stays refused.
    if (this.#refusal) throw this.#refusal
    if (this.#reading && performance.now() - this.#readAt < KEPT_MS) return this.#reading
    this.#reading = readSupabaseMetrics(readPrometheusText(await this.#fetch()))
    this.#readAt = performance.now()
    return this.#reading
  }

  async #fetch(): Promise<string> {
    const { url, key } = this.#project
    const login = Buffer.from(`service_role:${key}`).toString('base64')
    const response = await fetch(url, {
      headers: { authorization: `Basic ${login}` },
      // The key is for this address and no other.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new Error(`The metrics of ${url.host} could not be fetched.`, { cause: error })
    })
    if (response.status === 401 || response.status === 403) {
      this.#refusal = new Error(
        `${url.host} refuses the key (${response.status}): SUPABASE_SECRET_KEY is the secret key of this project.`,
      )
      throw this.#refusal
    }
    if (!response.ok) throw new Error(`${url.host} answers ${response.status}.`)
    return await boundedText(response)
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_BYTES) throw new Error(`The metrics are larger than ${MAX_BYTES} bytes.`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}
