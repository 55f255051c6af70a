/**
 * Messages that waited for the log, until the turn that sends them.
 *
 * Groups become durable several at a time. An acknowledgement says that the log agrees through an index: of those to one
 * leader that leave together, the last says what all of them say.
 */
import type { AppendResponseMessage, Message } from '@etcd-ts/raft';

/** Gathers what became durable together. */
export class DurableMessages {
  #messages: Message[] = [];

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Takes the messages of one group, in the order of groups. */
  push(messages: readonly Message[]): void {
    for (const message of messages) {
      const last = this.#messages.at(-1);
      if (last !== undefined && saysAtLeast(message, last)) this.#messages.pop();
      this.#messages.push(message);
    }
  }

  /** Hands everything out. */
  take(): readonly Message[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}

/** True when `message` tells its receiver all that the acknowledgement before it does. */
function saysAtLeast(message: Message, before: Message): boolean {
  return (
    isAcknowledgement(message) &&
    isAcknowledgement(before) &&
    message.to === before.to &&
    message.term === before.term &&
    message.session === before.session &&
    message.index >= before.index
  );
}

function isAcknowledgement(message: Message): message is AppendResponseMessage {
  return message.type === 'appendResponse' && !message.rejected;
}
