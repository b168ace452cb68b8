// What poolers and servers say when they refuse, word for word, as their sources and a
// run of each have it. `retry`: none of the user's SQL ran, and another try may work.

import type { NullpoolErrorCode } from '../../src/errors.ts'

export interface Refusal {
  by: string
  sqlState: string
  words: string
  code: NullpoolErrorCode
  retryable: boolean
}

const TABLE = `
# Supavisor
XX000 ERR_POOLER_FULL retry        (EMAXCONN) max client connections reached, limit: 200
XX000 ERR_POOLER_FULL retry        Max client connections reached
XX000 ERR_POOLER_SESSION_FULL      (EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15
XX000 ERR_POOLER_SESSION_FULL      MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size
XX000 ERR_POOLER_FULL retry        (ECHECKOUTTIMEOUT) unable to check out connection from the pool after 60000ms in Transaction mode
XX000 ERR_POOLER_FULL retry        Unable to check out process from the pool due to timeout
XX000 ERR_POOLER_FULL retry        (ECHECKOUTRETRIES) failed to check out a connection after multiple retries
XX000 ERR_POOLER_FULL retry        (EPOOLCHECKOUT) pool checkout failed: noproc
XX000 ERR_SERVER_UNAVAILABLE retry (ESUBSCRIBERETRIES) failed to subscribe to tenant after multiple retries. Terminating
XX000 ERR_POOLER_FULL retry        (EMAXPOOLSREACHED) max pools count reached
XX000 ERR_TENANT_UNKNOWN           (ENOTFOUND) tenant/user postgres.abc not found
XX000 ERR_TENANT_UNKNOWN           Tenant or user not found
XX000 ERR_TENANT_UNKNOWN           (ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname required)
XX000 ERR_TENANT_UNKNOWN           (EINVALIDUSERINFO) Authentication error, reason: "Invalid format for user or db_name"
28P01 ERR_AUTH_PASSWORD            password authentication failed for user "postgres"
28P01 ERR_SERVER_UNAVAILABLE retry Authentication credentials are invalid. Please reconnect with fresh credentials to restore pool functionality.
XX000 ERR_AUTH_BLOCKED             (ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked
XX000 ERR_SERVER_UNAVAILABLE retry (ECIRCUITBREAKER) failed to retrieve database credentials after multiple attempts, new connections are temporarily blocked
XX000 ERR_SERVER_UNAVAILABLE retry Circuit breaker open: get_secrets
XX000 ERR_AUTH_BLOCKED             Circuit breaker open: auth_error
XX000 ERR_SERVER_UNAVAILABLE retry (EAUTHQUERY) authentication query failed: timeout
XX000 ERR_SERVER_UNAVAILABLE retry (EAUTHQUERY) auth_query secret check timed out
XX000 ERR_SERVER_UNAVAILABLE retry (EAUTHQUERY) auth_query connection failed
XX000 ERR_AUTH_PASSWORD            (EAUTHQUERY) user not found in the database
XX000 ERR_AUTH_PASSWORD            (EAUTHQUERY) unsupported or invalid secret format
XX000 ERR_AUTH_PASSWORD            (EAUTHQUERY) failed to parse SCRAM secret
XX000 ERR_AUTH_PASSWORD            (EAUTHQUERY) MD5 secrets are not supported for auth_query, use require_user instead
XX000 ERR_SERVER_UNAVAILABLE retry (EAUTHSECRETS) failed to retrieve authentication secrets: nodedown
08P01 ERR_SERVER                   (EAUTHPROTOCOL) protocol violation during authentication
08006 ERR_SERVER_UNAVAILABLE retry (EAUTHTIMEOUT) timeout while waiting for message
08P01 ERR_SERVER                   (ESTARTUPMESSAGE) Invalid startup message: bad
08P01 ERR_SERVER                   (ESTARTUPPACKETTOOLARGE) Startup packet too large: 1500 bytes (max 1024 bytes)
08006 ERR_TLS_FAILED retry         (ESSLHANDSHAKE) SSL handshake failed: closed
XX000 ERR_TLS_REQUIRED             (ESSLREQUIRED) SSL connection is required for user: u
XX000 ERR_TLS_REQUIRED             SSL connection is required
XX000 ERR_ACCESS_DENIED            (EBANNED) tenant is banned: abuse
XX000 ERR_ACCESS_DENIED            (EADDRNOTALLOWED) address not in tenant allow_list: 203.0.113.7
XX000 ERR_SERVER_UNAVAILABLE retry (EDBHANDLEREXITED) DbHandler exited. Check logs for more information.
08006 ERR_SERVER_UNAVAILABLE retry Failed to connect to database: :timeout
53300 ERR_POOLER_FULL retry        sorry, too many clients already
57P03 ERR_SERVER_UNAVAILABLE retry the database system is starting up
3D000 ERR_DATABASE_UNKNOWN         database "nope" does not exist
57P01 ERR_SERVER_UNAVAILABLE retry terminating connection due to administrator command
26000 ERR_PREPARED_STATEMENT       (EPREPAREDNOTFOUND) prepared statement "s1" does not exist
42P05 ERR_PREPARED_STATEMENT       (EPREPAREDDUP) prepared statement "s1" already exists
XX000 ERR_PREPARED_STATEMENT       (EMAXPREPARED) max prepared statements limit reached
XX000 ERR_PREPARED_STATEMENT       (EMAXPREPAREDMEM) max prepared statements memory limit reached
XX000 ERR_PREPARED_STATEMENT       (EPSSIMPLEQUERY) Supavisor transaction mode only supports prepared statements using the Extended Query Protocol

# PgBouncer
08P01 ERR_POOLER_FULL retry        no more connections allowed (max_client_conn)
08P01 ERR_POOLER_FULL retry        client connections exceeded (max_db_client_connections)
08P01 ERR_POOLER_FULL retry        client connections exceeded (max_user_client_connections)
08P01 ERR_POOLER_FULL retry        query_wait_timeout
08P01 ERR_QUERY_TIMEOUT            query_timeout
08P01 ERR_SERVER_UNAVAILABLE retry server login has been failing, try again later (server_login_retry)
08P01 ERR_SERVER_UNAVAILABLE retry server login has been failing, cached error: connect failed (server_login_retry)
08P01 ERR_SERVER_UNAVAILABLE retry client_login_timeout
08P01 ERR_SERVER_UNAVAILABLE retry client_login_timeout (server down)
08P01 ERR_SERVER                   unsupported startup parameter: search_path
08P01 ERR_SERVER                   unsupported startup parameter in options: x
08P01 ERR_AUTH_PASSWORD            SASL authentication failed
08P01 ERR_AUTH_PASSWORD            password authentication failed
08P01 ERR_AUTH_PASSWORD            no such user
08P01 ERR_AUTH_PASSWORD            no such user: alice
08P01 ERR_DATABASE_UNKNOWN         no such database: shop
08P01 ERR_DATABASE_UNKNOWN         database "shop" is disabled
08P01 ERR_DATABASE_UNKNOWN         database "shop" does not exist
08P01 ERR_SERVER_UNAVAILABLE retry the database system is starting up
08P01 ERR_SERVER_UNAVAILABLE retry the database system is in recovery mode
08P01 ERR_TLS_REQUIRED             SSL required
08P01 ERR_TLS_FAILED               received unencrypted data after SSL request
08P01 ERR_PROTOCOL                 client sent partial pkt in startup phase
08P01 ERR_SERVER_UNAVAILABLE retry pooler is shutting down
08P01 ERR_SERVER_UNAVAILABLE retry server shutting down
08P01 ERR_CONNECTION_LOST retry    client_idle_timeout
08P01 ERR_CONNECTION_LOST retry    server conn crashed?
08P01 ERR_PREPARED_STATEMENT       prepared statement did not exist
08P01 ERR_PREPARED_STATEMENT       prepared statement name is already in use

# Neon
XX000 ERR_AUTH_PASSWORD            password authentication failed for user 'alice'
XX000 ERR_TENANT_UNKNOWN           Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass the endpoint ID (first part of the domain name) as a parameter
XX000 ERR_ACCESS_DENIED            This IP address 203.0.113.7 is not allowed to connect to this endpoint.
XX000 ERR_POOLER_FULL retry        Too many connections to this endpoint. Please try again later.
XX000 ERR_POOLER_FULL retry        Too many connections attempts
XX000 ERR_POOLER_FULL retry        Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.
XX000 ERR_SERVER_UNAVAILABLE retry Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.
XX000 ERR_TENANT_UNKNOWN           Control plane request failed: endpoint cannot be found
XX000 ERR_TENANT_UNKNOWN           Control plane request failed: endpoint is disabled
XX000 ERR_SERVER_UNAVAILABLE retry Couldn't connect to compute node: connection refused

# pgcat
58000 ERR_POOLER_FULL retry        could not get connection from the pool - AllServersDown
58000 ERR_TENANT_UNKNOWN           No pool configured for database: "shop", user: "alice"
58000 ERR_SERVER_UNAVAILABLE retry Pool down for database: "shop"
58000 ERR_POOLER_FULL retry        checkout failure limit reached
58000 ERR_QUERY_TIMEOUT            pool statement timeout

# Odyssey
53300 ERR_POOLER_FULL retry        odyssey: c51e3f2ab359: too many tcp connections (global client_max 100)
53300 ERR_POOLER_FULL retry        odyssey: c51e3f2ab359: too many active clients for user (pool_size for user shop.alice reached 5)
08006 ERR_SERVER_UNAVAILABLE retry odyssey: c51e3f2ab359: failed to get remote server connection
08006 ERR_SERVER_UNAVAILABLE retry odyssey: c51e3f2ab359: failed to connect to remote server s1
08006 ERR_SERVER_UNAVAILABLE retry odyssey: c51e3f2ab359: Odyssey is gracefully shutting down
3D000 ERR_DATABASE_UNKNOWN         odyssey: c51e3f2ab359: route for 'shop.alice' is not found
28000 ERR_AUTH_PASSWORD            odyssey: c51e3f2ab359: password authentication failed
08P01 ERR_TLS_REQUIRED             odyssey: c51e3f2ab359: SSL is required

# Postgres
53300 ERR_POOLER_FULL retry        sorry, too many clients already
53300 ERR_POOLER_FULL retry        too many connections for role "alice"
53300 ERR_POOLER_FULL retry        too many connections for database "shop"
53300 ERR_POOLER_FULL retry        zu viele Verbindungen für Rolle »alice«
53300 ERR_POOLER_FULL retry        remaining connection slots are reserved for roles with the SUPERUSER attribute
57P03 ERR_SERVER_UNAVAILABLE retry the database system is not yet accepting connections
57P01 ERR_SERVER_UNAVAILABLE retry terminating connection due to administrator command
57P02 ERR_SERVER_UNAVAILABLE retry terminating connection because of crash of another server process
28P01 ERR_AUTH_PASSWORD            Passwort-Authentifizierung für Benutzer »alice« fehlgeschlagen
28000 ERR_ACCESS_DENIED            no pg_hba.conf entry for host "203.0.113.7", user "alice", database "shop", SSL encryption
3D000 ERR_DATABASE_UNKNOWN         Datenbank »shop« existiert nicht
`

export const REFUSALS: readonly Refusal[] = TABLE.split('\n# ').flatMap((section) => {
  const [by = '', ...lines] = section.trim().split('\n')
  return lines.filter(Boolean).map((line) => readLine(by.replace('# ', ''), line))
})

function readLine(by: string, line: string): Refusal {
  const found = /^(\w{5}) (ERR_\w+)( retry)? +(\S.*)$/.exec(line)
  if (!found) throw new Error(`Not a line of the table: ${line}`)
  const [, sqlState = '', code, retry, words = ''] = found
  return { by, sqlState, words, code: code as NullpoolErrorCode, retryable: retry !== undefined }
}
