/** One claim of a port's contract; it rejects when the implementation breaks it. */
export interface ContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}
