// How is masterless used? Two nodes that keep their connection; packets have numbers by which replies find their callers.
'use strict'
const { freeTcp, fullest, publish, run, whole } = require('./ends')
const Server = require('masterless')

const SOURCE = 'source'

const listening = async (id) => {
  const node = new Server(id, { port: await freeTcp(), host: '127.0.0.1' })
  if (!node.info()) await new Promise((resolve) => node.on('listening', resolve))
  return node
}

async function source (order, go) {
  const node = await listening(SOURCE)
  node.on('connect', (id) => node.keep(id))
  if (order.work === 'call') {
    node.on('message', (id, packet) => node.send(id, packet))
    return node.info()
  }
  const sockets = () => Object.values(node._nodes).filter((peer) => peer.stream).map((peer) => peer.stream.conn)
  go.then(() => publish(
    (number) => node.send(node.connections(), { number, body: order.body }),
    () => fullest(sockets())
  ))
  return node.info()
}

// A node with a connection to the source.
async function linked (order) {
  const node = await listening(`sink-${process.pid}`)
  node.keep(SOURCE)
  await new Promise((resolve, reject) => node.connect(order.at, (error) => error ? reject(error) : resolve()))
  return node
}

async function caller (order) {
  const node = await linked(order)
  const waiting = new Map()
  let last = 0
  node.on('message', (id, packet) => {
    waiting.get(packet.number)(packet.body)
    waiting.delete(packet.number)
  })
  const call = () => new Promise((resolve) => {
    const number = ++last
    waiting.set(number, resolve)
    node.send(SOURCE, { number, body: order.body })
  })
  return async () => whole(await call(), order)
}

async function reader (order, heard) {
  const node = await linked(order)
  node.on('message', (id, packet) => heard(packet.number))
}

run({ source, caller, reader })
