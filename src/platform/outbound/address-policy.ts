import ipaddr from 'ipaddr.js';

/** `true`: every address. A list: these networks, beside the public ones. */
export type AllowedNetworks = boolean | readonly string[];

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** All that is assigned as global unicast (RFC 4291 section 2.4): what lies outside is old or nobody's. */
const GLOBAL_IPV6: Range = ipaddr.parseCIDR('2000::/3');

/** Below this, ports belong to services of systems. */
const FIRST_FREE_PORT = 1024;
const WEB_PORTS = new Set([80, 443]);
/** Databases, caches, queues, consoles and the like, whose protocols a request can be made to look like. */
const SERVICE_PORTS = new Set([
  1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 6379, 6443, 7000, 7001,
  8086, 9042, 9092, 9200, 9300, 10250, 11211, 15672, 16379, 26379, 27017,
]);

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
    if (address.kind() === 'ipv6' && !isWithin(address, GLOBAL_IPV6)) return false;
    return address.range() === 'unicast' && !INNER_ADDRESSES.has(address.toString());
  }

  /** Whatever the network: mail, shells and databases are no receivers of requests. */
  allowsPort({ protocol, port }: URL): boolean {
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    return number < FIRST_FREE_PORT ? WEB_PORTS.has(number) : !SERVICE_PORTS.has(number);
  }
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
