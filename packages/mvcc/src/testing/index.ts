export { type BackendFactory, backendSuite, type ContractCase } from './backend-suite.ts';
