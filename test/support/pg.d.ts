/** What of `pg` is used here; it brings no types. */
declare module 'pg' {
  const pg: {
    Client: new (options: object) => import('./round-trip-shapes.ts').PgClient
    Pool: new (options: object) => import('kysely').PostgresPool
  }
  export default pg
}
