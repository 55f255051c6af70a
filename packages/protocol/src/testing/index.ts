export {
  channelSuite,
  type ChannelClaim,
  type ChannelWorld,
  type MakeChannel,
} from './channel-suite.ts';
