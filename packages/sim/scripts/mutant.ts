/** A change of one file. */
export interface Edit {
  readonly file: string;
  /** Found exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** A bug to plant. */
export interface Mutant extends Edit {
  readonly name: string;
  readonly area: string;
  /** What else is changed: a bug that has two cures. */
  readonly also?: readonly Edit[];
  /** The profile that is most likely to meet it; absent where there is a plan. */
  readonly profile?: string;
  /** The plan of an incident, by its name: it alone is run. */
  readonly plan?: string;
}
