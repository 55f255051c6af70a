/** The client that looks at everything once all is well again; no plan has one of this number. */
export const CLOSING_CLIENT = 0;

/** The key from which on, with the range end of the same, everything is. */
export const EVERYTHING = '\0';
