import type { Hono } from 'hono'
import { createGateway } from 'nullpool/gateway'

interface Bindings {
  /** A secret of 32 characters or more: `openssl rand -hex 32`. */
  GATEWAY_TOKEN: string
  /** `host:port`, with commas in between. */
  GATEWAY_TARGETS: string
}

/** Made by the first request: a Worker has its bindings then. */
let gateway: Hono | undefined

export default {
  fetch(request: Request, env: Bindings, context: ExecutionContext): Response | Promise<Response> {
    gateway ??= createGateway({
      token: env.GATEWAY_TOKEN,
      targets: env.GATEWAY_TARGETS.split(',').map((target) => target.trim()),
      onEvent: (event) => console.log(JSON.stringify(event)),
    })
    return gateway.fetch(request, env, context)
  },
}

/** The part of the Workers runtime that is used here. */
interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void
  passThroughOnException(): void
  props: unknown
}
