// How is PIGATO used? A broker, a worker that takes all it is given, and a client.
'use strict'
const { freeTcp, run, whole } = require('./ends')
const pigato = require('pigato')

const SERVICE = 'echo'

async function broker () {
  const [at, internal] = [await freeTcp(), await freeTcp()].map((port) => `tcp://127.0.0.1:${port}`)
  const broker = new pigato.Broker(at, { intch: internal })
  broker.on('error', () => {})
  await new Promise((resolve) => { broker.on('start', resolve); broker.start() })
  return at
}

async function source (order) {
  const worker = new pigato.Worker(order.at, SERVICE, { concurrency: -1 })
  worker.on('error', () => {})
  worker.on('request', (request, reply) => reply.end(request))
  const connected = new Promise((resolve) => worker.on('connect', resolve))
  worker.start()
  await connected
  return ''
}

async function caller (order) {
  const client = new pigato.Client(order.at)
  client.on('error', () => {})
  client.start()
  const call = () => new Promise((resolve, reject) => {
    const end = (error, body) => error ? reject(new Error(String(error))) : resolve(body)
    client.request(SERVICE, order.body, () => {}, end, { timeout: 10000 })
  })
  return async () => whole(await call(), order)
}

run({ broker, source, caller })
