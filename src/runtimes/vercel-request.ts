/** Where Vercel keeps what belongs to a request, on Node too; @vercel/functions looks there as well. */
const REQUEST_CONTEXT = Symbol.for('@vercel/request-context')

interface RequestContexts {
  get?(): { waitUntil?(promise: Promise<unknown>): void } | undefined
}

/** Keeps a request on Vercel alive; does nothing elsewhere. */
export function waitUntilOnVercel(promise: Promise<unknown>): void {
  const contexts: RequestContexts | undefined = Reflect.get(globalThis, REQUEST_CONTEXT)
  contexts?.get?.()?.waitUntil?.(promise)
}
