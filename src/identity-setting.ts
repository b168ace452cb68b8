const IDENTITY = /^(?:role|session_authorization|request\.jwt\..*)$/is

/** Whether a setting of the server decides for whom statements run. */
export function isIdentitySetting(name: string): boolean {
  return IDENTITY.test(name)
}
