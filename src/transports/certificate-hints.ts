/** What to do about a certificate that is refused for more than its authority. */
export const CERTIFICATE_HINTS = {
  expired: 'It has expired: renew it at the server.',
  early: 'It is not valid yet: look at the clock of this machine, or issue it again at the server.',
  name: 'It is made out to another name: use that name as the host, or set tls: { serverName }.',
} as const
