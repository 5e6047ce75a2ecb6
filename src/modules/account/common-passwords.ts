/**
 * What people choose most often, and so what guessers try first: words and rows of keys, as published lists of leaked
 * passwords agree on. Lower case; digits and signs at the end are taken off before a password is looked up, so
 * "Password123!" is "password" here.
 */
const WORDS = `
abc abcd abcde abcdef abcdefg abcdefgh abcabc access action adidas admin administrator adobe airborne amanda america
andrea andrew angel angela angels anthony apple arsenal asdf asdfasdf asdfg asdfgh asdfghj asdfghjk asdfghjkl ashley
asshole austin azerty azertyuiop babygirl badboy bailey banana barcelona barney baseball basketball batman bigdog
blink blowjob bond boomer boston brandon brandy bubbles buster butterfly cameron changeit changeme charles charlie
cheese chelsea chester chicken chocolate chris christian coffee computer cookie corvette cowboy cowboys crystal dallas
daniel danielle default demo demouser diablo diamond dolphin donald dragon eagles einstein elizabeth eminem fender
ferrari fishing flower football forever freedom friend friends fuckme fuckoff fuckyou gandalf george ginger golden
golfer google guest guitar hannah hardcore harley heather hello hockey hottie hunter iceman iloveyou india infernode
internet iwantu jackson jasmine jasper jennifer jessica johnny jordan joseph joshua junior justin killer kristina
ladies lakers lauren letmein letmeinnow liverpool login london love lovely loveme loveyou maggie magic manager
marina marlboro martin master matrix matthew maverick melissa mercedes merlin michael michelle mickey midnight
minecraft monica monkey monster morgan mother mustang mynoob naruto nascar natasha ncc newyork nicholas nicole
nintendo nirvana nothing orange packers panther parker pass passion passw passwd password passwort passpass patrick
peanut people pepper phoenix player please pokemon porsche porn porno prince princess private purple pussy qazwsx
qazwsxedc qwe qweasd qweasdzxc qwer qwert qwerty qwertyu qwertyui qwertyuiop qwertz qwertzuiop rabbit rachel raiders
ranger rangers rebecca redskins redsox richard robert root rosebud rush samantha samsung sandra saturn scooby scooter
scorpio secret sexy shadow silver slayer slipknot smokey snoopy soccer sophie spanky sparky spiderman spring star
starwars steelers steven stupid summer sunday sunflower sunshine superman superuser startrek temp temppass tennis
test testing testtest testuser thomas thunder thx tiger tigers tigger tinkerbell toor toyota trustno turtle user
username vampire victor victoria viking voodoo voyager walter welcome whatever william willie wilson winner winston
winter wizard xavier xxx xxxx xxxxx xxxxxx xxxxxxx xxxxxxxx yamaha yankee yankees yellow yellowstone zaq zaqwsx
zaqxsw zxc zxcv zxcvb zxcvbn zxcvbnm
`;

/** Those with digits and signs elsewhere than at the end. */
const NUMBERS = `
00000000 000000000 0000000000 01234567 012345678 0123456789 0987654321 098765432 10203040 11111111 111111111 1111111111
11112222 11223344 1122334455 112233445566 12121212 121212121 12312312 123123123 123321123 12341234 1234512345 12344321
1234554321 12345678 123456789 1234567890 12345678910 123456789a 123456789q 1234567a 1234567q 1234abcd 1234qwer 123abc123
123456abc 123456qwerty 123qwe123 123qweasd 123qweasdzxc 12qwaszx 13131313 147258369 1478963 14789632 147852369 159357456
159753456 19841984 1a2b3c4d 1a2b3c4d5e 1g2w3e4r 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 20102010
22222222 23456789 234567890 25802580 31415926 33333333 3edc4rfv 44444444 55555555 66666666 69696969 74108520 77777777
741852963 78945612 789456123 7894561230 87654321 88888888 963852741 987654321 9876543210 99999999 999999999
a1b2c3d4 a1s2d3f4 abc12345 p4ssword p@ssw0rd p@ssword pa55word pa$$word passw0rd pass1word q1w2e3r4 q1w2e3r4t5 qwe123rty trustno1
`;

export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(`${WORDS} ${NUMBERS}`.trim().split(/\s+/));
