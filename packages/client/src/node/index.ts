export { connect, type ConnectOptions } from './connect.ts';
export { GrpcChannel, type GrpcChannelOptions } from './grpc-channel.ts';
export { systemClock, systemRandom } from './system-clock.ts';
