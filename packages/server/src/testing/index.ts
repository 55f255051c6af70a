export { consensusSuite, type EngineUnderTest } from './consensus-suite.ts';
export type { ContractCase } from './contract.ts';
export { ManualClock } from './manual-clock.ts';
export {
  peerTransportSuite,
  type TransportUnderTest,
  type TransportWorld,
} from './peer-transport-suite.ts';
