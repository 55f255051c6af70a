/** The verdict on an entry of the log that was not refused; on others it is the error's code. */
export const DONE = 'ok';
