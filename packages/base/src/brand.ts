declare const brand: unique symbol;

/** A type that only its own constructor makes, so that ids of different kinds cannot be mixed. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A member's id: 64 bits, unsigned. 0 stands for none. */
export type MemberId = Brand<bigint, 'MemberId'>;

/** A cluster's id: 64 bits, unsigned. */
export type ClusterId = Brand<bigint, 'ClusterId'>;

/** A lease's id: 64 bits, signed on the wire. 0 stands for none. */
export type LeaseId = Brand<bigint, 'LeaseId'>;

/** Makes a member id of the low 64 bits, unsigned. */
export const memberId = (value: bigint): MemberId => BigInt.asUintN(64, value) as MemberId;

/** Makes a cluster id of the low 64 bits, unsigned. */
export const clusterId = (value: bigint): ClusterId => BigInt.asUintN(64, value) as ClusterId;

/** Makes a lease id of the low 64 bits, signed as on the wire. */
export const leaseId = (value: bigint): LeaseId => BigInt.asIntN(64, value) as LeaseId;

/** An id as etcd prints it: lower-case hexadecimal without padding. */
export const idToHex = (id: bigint): string => BigInt.asUintN(64, id).toString(16);
