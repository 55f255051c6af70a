/** The etcd release whose behaviour and wire this server has. Digits and dots only: clients parse it. */
export const ETCD_VERSION = '3.6.0';

/** The version of the cluster and of what it stores, as etcd reports them in Status: major and minor. */
export const STORAGE_VERSION = '3.6.0';
