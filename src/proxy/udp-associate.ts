import type { AttemptRecord, LimitName, UdpRecord } from "../ports/proxy-events.ts";
import type { Address } from "../protocol/socks5/address.ts";
import { Rep } from "../protocol/socks5/constants.ts";
import type { Command, CommandHost } from "./command.ts";
import { advertised, refusalByAccess } from "./command-access.ts";
import type { QuotaLimit } from "./quota.ts";
import { replyForFailure } from "./reply-for.ts";
import { UdpAssociation } from "./udp-association.ts";

const LIMIT_NAMES: Readonly<Record<QuotaLimit, LimitName>> = {
  total: "udp.associations",
  perAddress: "udp.associations_per_address",
  perUser: "udp.associations_per_user",
};

/** UDP ASSOCIATE: a relay for datagrams that lives as long as the connection on which it was asked for (RFC 1928 §6). */
export class UdpAssociate implements Command {
  readonly attempts: readonly AttemptRecord[] = [];
  readonly #host: CommandHost;
  #association: UdpAssociation | undefined;
  #leave: (() => void) | undefined;

  constructor(host: CommandHost) {
    this.#host = host;
  }

  get udp(): UdpRecord | undefined {
    return this.#association?.record();
  }

  start(dst: Address): void {
    const host = this.#host;
    const { udp, counters, events } = host.context;
    const refusal = refusalByAccess(udp.settings.access, host.user);
    if (refusal !== undefined) {
      host.refuse(refusal, undefined);
      return;
    }
    const place = udp.quota.enter(host.clientAddress, host.user, udp.settings.limits);
    if (typeof place === "string") {
      counters.limitReached++;
      events.onLimitReached(LIMIT_NAMES[place], host.clientAddress);
      host.refuse(Rep.GeneralFailure, `the limit ${LIMIT_NAMES[place]} is reached`);
      return;
    }
    this.#leave = place;
    this.#open(dst);
  }

  /** Nothing has happened for as long as an association may be silent, or something has. */
  timeOut(): void {
    const { context } = this.#host;
    const { idleMs } = context.udp.settings;
    const silentMs = context.clock.nowMs() - (this.#association?.lastActiveMs ?? 0);
    if (silentMs >= idleMs) {
      context.counters.idleTimeouts++;
      // Not only once the client has closed, too: until then nobody else would get the port or the place.
      this.close();
      this.#host.finish("idle-timeout");
    } else {
      this.#host.setDeadlineIn(idleMs - silentMs);
    }
  }

  handleClientEnd(): void {
    //= rfc1928#6/udp-association-ends
    if (this.#association === undefined) return;
    this.close();
    this.#host.finish("finished");
  }

  close(): void {
    this.#association?.close();
    this.#leave?.();
    this.#leave = undefined;
  }

  #open(dst: Address): void {
    const host = this.#host;
    const { localIp } = host;
    // A client that is gone already has no address any more.
    if (localIp === undefined) {
      host.refuse(Rep.GeneralFailure, "the client's connection has no address");
      return;
    }
    const association = new UdpAssociation(host.context, {
      address: host.clientAddress,
      isLocal: host.clientIsLocal,
      user: host.user,
      port: declaredPort(dst, host.clientAddress),
    });
    const port = association.open(localIp);
    if (typeof port === "string") {
      association.close();
      host.refuse(replyForFailure(port), `no socket for datagrams: ${port}`);
      return;
    }
    this.#association = association;
    //= rfc1928#6/udp-bound-address
    host.associate(advertised(host.advertisedIp, localIp), port);
    host.setDeadlineIn(host.context.udp.settings.idleMs);
  }
}

/**
 * The port from which the client says it will send, where that can be believed. An address other than the one it comes
 * from was translated on the way, or is that of its target, which some clients write here by mistake; zeros and names say
 * nothing. In all these cases its first datagram will tell.
 */
//= rfc1928#6/udp-client-address
function declaredPort(dst: Address, clientAddress: string): number {
  return dst.isIp && dst.host === clientAddress ? dst.port : 0;
}
