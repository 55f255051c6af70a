/** What the program around the node is told: how it logs, and what it does instead of serving. */
import type { Gates } from './feature-gates.ts';

/** Settings of the program. */
export interface Program {
  /** `zap`, the only one. */
  readonly logger: string;
  readonly logLevel: string;
  /** `json` or `console`. */
  readonly logFormat: string;
  /** `default`, `stderr`, `stdout`, `systemd/journal`, or files. */
  readonly logOutputs: readonly string[];
  readonly isLogRotated: boolean;
  /** As JSON. */
  readonly logRotation: string;
  readonly configFile: string;
  readonly showsVersion: boolean;
  /** Switches of features, which go into the options that they stand for. */
  readonly featureGates: Gates;
}

/** The rotation that etcd documents: 100 MB a file, everything kept. */
export const DEFAULT_LOG_ROTATION =
  '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}';
