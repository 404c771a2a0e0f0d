import { expect, test } from 'vitest'
import { isPublicAddress, targetProblem } from '../../src/external/webhook-target.ts'

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00::1',
]

const SPECIAL = [
  ...[
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
  ],
  ...['192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...[
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
  ],
  ...[
    '3fff::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1111%eth0',
    'fec0::1',
    'ff02::1',
    'no address',
    '',
  ],
]

test.for(PUBLIC)('%s is an address of the internet', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.for(SPECIAL)('%s is not', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.for([
  'https://hooks.example.com/stock',
  'http://hooks.example.com:8080/a?b=c',
  'https://bücher.example/x',
  'https://1.1.1.1/',
  'https://[2606:4700::1111]:8443/',
  'https://localhost.example.com/',
])('%s may be the address of an alert', (url) => {
  expect(targetProblem(url, false)).toBeUndefined()
})

test.for([
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://2130706433/',
  'http://127.1/',
  'http://127.0.0.1.:80/',
  'http://①②⑦.0.0.1/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://a.localhost/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[fe80::1]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://10.1.2.3:65535/',
])('%s needs the permission for private targets', (url) => {
  expect(targetProblem(url, false)).toMatch(/ALERT_PRIVATE_TARGETS/)
  expect(targetProblem(url, true)).toBeUndefined()
})

test.for([
  'hooks.example.com',
  '//hooks.example.com/',
  'ftp://hooks.example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'http:hooks.example.com',
  'https:/hooks.example.com',
  'https://',
  'https://hooks.example.com:0/',
  'https://hooks.example.com:65536/',
  'https://hooks.example.com:x/',
  'https://user@hooks.example.com/',
  'https://user:word@hooks.example.com/',
  'https://:word@hooks.example.com/',
  'https://hooks.example.com/#part',
  'https://hooks.example.com/#',
  'https://a b/',
  'https://[::1/',
  'https://[fe80::1%25eth0]/',
  ' https://hooks.example.com/',
  'https://hooks.example.com/a b',
  'https://hooks.example.com/a\tb',
  'https://hooks.exam\nple.com/',
  'https://hooks.example.com/\u001B[2J',
  'https://hooks.example.com/\u0085',
])('%s is no address of an alert, whatever is allowed', (url) => {
  expect(targetProblem(url, true)).toMatch(/^must /)
})
