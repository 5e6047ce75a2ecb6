import ipaddr from 'ipaddr.js';

/** `true`: every address. A list: these networks, beside the public ones. */
export type AllowedNetworks = boolean | readonly string[];

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Public by their numbers, but answered inside a cloud: Azure's platform address. */
const INNER_ADDRESSES = new Set(['168.63.129.16']);

/**
 * Says which addresses a request on behalf of a user may go to. Not those behind our own door: loopback, private and
 * link-local networks, metadata services, and everything else that is not plainly public.
 */
export class AddressPolicy {
  private readonly ranges: readonly Range[];
  private readonly everything: boolean;

  constructor(networks: AllowedNetworks) {
    this.everything = networks === true;
    this.ranges = typeof networks === 'boolean' ? [] : networks.map((network) => ipaddr.parseCIDR(network));
  }

  allows(text: string): boolean {
    if (!ipaddr.isValid(text)) return false;
    // An IPv4 address in IPv6 clothes is judged as what it is.
    const address = ipaddr.process(text);
    if (this.everything || this.ranges.some((range) => isWithin(address, range))) return true;
    return address.range() === 'unicast' && !INNER_ADDRESSES.has(address.toString());
  }
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
