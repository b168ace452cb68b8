/** What of `pg` is used here; it brings no types. */
declare module 'pg' {
  const pg: { Client: new (options: object) => import('./round-trip-shapes.ts').PgClient }
  export default pg
}
