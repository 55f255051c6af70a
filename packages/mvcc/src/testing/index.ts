export { type BackendFactory, backendSuite, type ContractCase } from './backend-suite.ts';
export { ModelRefusal, StoreModel } from './model.ts';
