/** What the example for Supabase Edge Functions uses of its runtime. */
declare namespace Deno {
  function serve(handler: (request: Request, info: never) => Response | Promise<Response>): unknown
}
