import { describe, expect, it } from 'vitest';
import { AddressPolicy } from './address-policy.js';

describe('AddressPolicy', () => {
  it.each(['8.8.8.8', '93.184.215.14', '2606:4700::1111', '::ffff:8.8.8.8'])('lets requests go to %s', (address) => {
    expect(new AddressPolicy(false).allows(address)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '168.63.129.16',
    '192.0.0.8',
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.5',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::7f00:1',
    '4000::1',
    '::ffff:10.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '100::1',
    'localhost',
    '',
  ])('keeps requests away from %j', (address) => {
    expect(new AddressPolicy(false).allows(address)).toBe(false);
  });

  it('opens the networks it is told to, and no others', () => {
    const policy = new AddressPolicy(['10.0.0.0/8', '::1/128']);
    expect(['10.1.2.3', '::ffff:10.1.2.3', '::1', '8.8.8.8'].every((address) => policy.allows(address))).toBe(true);
    expect(['11.0.0.1', '127.0.0.1', '192.168.0.1'].filter((address) => policy.allows(address))).toEqual(['11.0.0.1']);
  });

  it('opens everything where it is told to', () => {
    expect(new AddressPolicy(true).allows('127.0.0.1')).toBe(true);
    expect(new AddressPolicy(true).allows('not an address')).toBe(false);
  });
});
