import type { Hono } from 'hono'
import { createGateway } from 'nullpool/gateway'

let gateway: Hono | undefined

/** The gateway with options that a test has written. */
export default {
  fetch(request: Request, env: { OPTIONS: string }, context: never): Response | Promise<Response> {
    gateway ??= createGateway(JSON.parse(env.OPTIONS))
    return gateway.fetch(request, env, context)
  },
}
