// What does one end of a measurement do? The same as src/ends: it says that it is ready, waits for a word, does its part, and
// says what came of it.
//
// A peer is { source(order, go), caller(order), reader(order, heard), broker(order) }: all return promises. `source` resolves
// to its address, and publishes once the promise `go` is kept; `caller` to a function that calls once; `reader` calls
// `heard(number)` for each message.
'use strict'
const readline = require('readline')
const net = require('net')
const dgram = require('dgram')

// In a crowd one call, and of messages one, in so many is timed.
const SAMPLE = 16
const CROWD = 8
// Times that are kept, at most.
const TIMES_MAX = 1 << 20
// Messages that are published before the buffers are looked at, and the most that may be in one.
const BURST = 64
const BUFFERED_MAX = 1 << 20

function parse (words) {
  const order = { role: words[0], count: 1, at: '' }
  for (let index = 1; index + 1 < words.length; index += 2) order[words[index].slice(2)] = words[index + 1]
  for (const name of ['size', 'count', 'warm', 'span']) order[name] = Number(order[name])
  order.body = 'x'.repeat(order.size)
  return order
}

const say = (line) => process.stdout.write(line + '\n')
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const turn = () => new Promise((resolve) => setImmediate(resolve))

// The lines of stdin, one promise for each. Its end is ours.
function orders () {
  const waiting = []
  const heard = []
  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', (line) => waiting.length ? waiting.shift()(line) : heard.push(line))
  lines.on('close', () => process.exit(0))
  return () => heard.length ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve))
}

class Tally {
  constructor () {
    this.phase = 'warming'
    this.items = 0
    this.lost = 0
    this.times = []
  }

  // `milliseconds` for `items` of them.
  record (milliseconds) {
    if (this.times.length < TIMES_MAX) this.times.push(milliseconds * 1000)
  }

  async pass (order) {
    await sleep(order.warm)
    this.phase = 'counting'
    const begin = performance.now()
    await sleep(order.span)
    this.phase = 'over'
    this.elapsed = (performance.now() - begin) / 1000
  }

  round () {
    if (this.items === 0) throw new Error('nothing came in the time of the count')
    const times = Float64Array.from(this.times).sort()
    const at = (quantile) => times[Math.min(times.length - 1, Math.floor(quantile * times.length))] || 0
    return JSON.stringify({
      per_second: this.items / this.elapsed,
      p50_us: at(0.5),
      p99_us: at(0.99),
      p999_us: at(0.999),
      lost: this.lost
    })
  }
}

async function repeat (call, every, tally) {
  while (tally.phase === 'warming') await call()
  for (let number = 0; ; number++) {
    const begin = performance.now()
    await call()
    if (tally.phase !== 'counting') return
    tally.items++
    if (number % every === 0) tally.record(performance.now() - begin)
  }
}

async function drive (call, order) {
  const tally = new Tally()
  const callers = []
  const every = order.count < CROWD ? 1 : SAMPLE
  for (let number = 0; number < order.count; number++) callers.push(repeat(call, every, tally))
  // Who still waits at the end is not waited for, but who fails is heard.
  const passed = tally.pass(order)
  await Promise.race([passed, Promise.all(callers).then(() => passed)])
  return tally.round()
}

// What each message is told to; what is passed over was lost.
function listener (tally) {
  let next = null
  let begin = null
  let since = 0
  return (number) => {
    const lost = next === null ? 0 : number - next
    next = number + 1
    if (tally.phase !== 'counting') return
    tally.items++
    tally.lost += Math.max(lost, 0)
    if (++since < SAMPLE) return
    const now = performance.now()
    if (begin !== null) tally.record((now - begin) / since)
    begin = now
    since = 0
  }
}

// Publishes numbered messages as fast as buffers empty.
async function publish (send, buffered) {
  for (let number = 0; ;) {
    for (const end = number + BURST; number < end; number++) send(number)
    do await turn(); while (buffered() > BUFFERED_MAX)
  }
}

// The most that waits in any of these sockets.
const fullest = (sockets) => sockets.reduce((most, socket) => Math.max(most, socket.writableLength), 0)

// A reply must be as long as what was asked.
function whole (body, order) {
  if (body.length !== order.size) throw new Error(`${body.length} bytes came back of ${order.size}`)
}

const freeTcp = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

const freeUdp = () => new Promise((resolve) => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
    const { port } = socket.address()
    socket.close(() => resolve(port))
  })
})

async function act (peer, order, next) {
  if (order.role === 'broker') return say(`ready ${await peer.broker(order)}`)
  if (order.role === 'source') {
    let went
    const go = new Promise((resolve) => { went = resolve })
    say(`ready ${await peer.source(order, go)}`)
    await next()
    return went()
  }
  if (order.work === 'call') {
    const call = await peer.caller(order)
    await call()
    if (order.role === 'first') return say('answered')
    say('ready')
    await next()
    return say(await drive(call, order))
  }
  const tally = new Tally()
  await peer.reader(order, listener(tally))
  say('ready')
  await next()
  await tally.pass(order)
  say(tally.round())
}

function run (peer) {
  const failed = (error) => {
    process.stderr.write(`Error: ${(error && error.message) || error}\n`)
    process.exit(1)
  }
  process.on('uncaughtException', failed)
  act(peer, parse(process.argv.slice(2)), orders()).catch(failed)
}

module.exports = { freeTcp, freeUdp, fullest, publish, run, whole }
