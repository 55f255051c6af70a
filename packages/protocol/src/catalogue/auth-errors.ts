/** What users, roles, tokens and permissions may meet. */
export const AUTH_ERRORS = {
  ROOT_USER_NOT_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: root user does not exist',
    when: 'auth is to be enabled without user root',
  },
  ROOT_ROLE_NOT_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: root user does not have root role',
    when: 'auth is to be enabled and user root lacks role root',
  },
  USER_ALREADY_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: user name already exists',
    when: 'a user of this name is there',
  },
  USER_EMPTY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: user name is empty',
    when: 'a user without name; any guarded call without token while auth is on',
  },
  USER_NOT_FOUND: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: user name not found',
    when: 'no such user',
  },
  ROLE_ALREADY_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role name already exists',
    when: 'a role of this name is there',
  },
  ROLE_NOT_FOUND: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role name not found',
    when: 'no such role',
  },
  ROLE_EMPTY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: role name is empty',
    when: 'a role without name',
  },
  AUTH_FAILED: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: authentication failed, invalid user ID or password',
    when: 'wrong user or password',
  },
  NO_PASSWORD_USER: {
    status: 'UNKNOWN',
    message: 'auth: authentication failed, password was given for no password user',
    when: 'a password for a user that has none',
  },
  VERIFY_ONLY: {
    status: 'UNKNOWN',
    message: 'auth: token signing attempted with verify-only key',
    when: 'a token is to be signed with a public key',
  },
  PERMISSION_NOT_GIVEN: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: permission not given',
    when: 'a grant to a role without permission',
  },
  PERMISSION_DENIED: {
    status: 'PERMISSION_DENIED',
    message: 'etcdserver: permission denied',
    when: 'the keys are not covered, or the call is for root alone',
  },
  ROLE_NOT_GRANTED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role is not granted to the user',
    when: 'revocation of a role that the user does not have',
  },
  PERMISSION_NOT_GRANTED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: permission is not granted to the role',
    when: 'revocation of a permission that the role does not have in exactly this range',
  },
  AUTH_NOT_ENABLED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: authentication is not enabled',
    when: 'authentication while auth is off',
  },
  INVALID_AUTH_TOKEN: {
    status: 'UNAUTHENTICATED',
    message: 'etcdserver: invalid auth token',
    when: 'the token is unknown, expired or malformed',
  },
  INVALID_AUTH_MGMT: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid auth management',
    when: 'root user, role or grant is to go while auth is on; a permission with a bad range',
  },
  AUTH_OLD_REVISION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: revision of auth store is old',
    when: 'the token is from before the last change of users or roles',
  },
} as const;
