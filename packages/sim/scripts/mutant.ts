/** A bug to plant. */
export interface Mutant {
  readonly name: string;
  readonly area: string;
  readonly file: string;
  /** Found exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The profile that is most likely to meet it. */
  readonly profile: string;
}
