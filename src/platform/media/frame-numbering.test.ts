import { describe, expect, it } from 'vitest';
import { FrameNumbering } from './frame-numbering.js';

/** Packets sent (in order of decoding) and pictures shown, as one text each; `!` is damage. */
function numbersOf(events: string): (number | undefined)[] {
  const numbering = new FrameNumbering();
  const numbers: (number | undefined)[] = [];
  for (const [kind, ...time] of events.split(' ')) {
    const timestamp = time.length === 0 ? null : BigInt(time.join(''));
    if (kind === '+') numbering.sent(timestamp);
    else if (kind === '!') numbering.damaged();
    else numbers.push(numbering.shown(timestamp));
  }
  return numbers;
}

describe('FrameNumbering', () => {
  it('counts pictures that come out reordered and late', () => {
    expect(numbersOf('+0 +3 =0 +1 =1 +2 =2 =3')).toEqual([0, 1, 2, 3]);
  });

  it('counts without timestamps', () => {
    expect(numbersOf('+ = + = + =')).toEqual([0, 1, 2]);
  });

  it('counts on when packets hold no picture of their own', () => {
    expect(numbersOf('+0 =0 +1 +2 =2 +3 =3')).toEqual([0, 1, 2]);
  });

  it('leaves out the numbers of pictures that were lost, whatever the distance in time', () => {
    expect(numbersOf('+0 =0 +10 ! +11 ! +90 =90 +91 =91')).toEqual([0, 3, 4]);
    expect(numbersOf('+0 +30 ! =0 +10 =10 +20 =20 +40 =40')).toEqual([0, 1, 2, 4]);
  });

  it('numbers a broken picture that comes out all the same', () => {
    expect(numbersOf('+0 =0 +1 =1 ! +2 =2')).toEqual([0, 1, 2]);
  });

  it('gives up after damage when timestamps are missing or are not one for each picture', () => {
    expect(numbersOf('+ = + ! + = + =')).toEqual([0, undefined, undefined]);
    expect(numbersOf('+0 =0 +1 +2 =2 +3 ! +4 =4')).toEqual([0, 1, undefined]);
    expect(numbersOf('+0 =0 ! +1 =7')).toEqual([0, undefined]);
  });

  it('holds a bounded number of timestamps', () => {
    const numbering = new FrameNumbering();
    for (let time = 0n; time < 5000n; time++) numbering.sent(time);
    numbering.damaged();
    expect(numbering.shown(4999n)).toBeUndefined();
  });
});
