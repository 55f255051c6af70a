/** How the program ends when it does not end by a signal; the codes are those of etcd. */

/** The command line cannot be read: Go's flag package ends with this. */
export const EXIT_USAGE = 2;

/** Everything else: a value that is refused, a start that fails, a member that ends by itself. */
export const EXIT_FAILURE = 1;

/** The member was removed from its cluster: a service manager that restarts what fails is to leave it. */
export const EXIT_REMOVED = 0;
