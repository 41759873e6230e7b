// How is cote used? As its documentation says, with discovery on loopback's broadcast address and a port of this measurement's.
'use strict'
const { freeUdp, fullest, publish, run, whole } = require('./ends')

const node = (name) => ({ name, key: 'bench' })
const here = (port) => ({ broadcast: '127.255.255.255', port: Number(port), helloInterval: 200, log: false, statusLogsEnabled: false })

async function source (order, go) {
  const port = await freeUdp()
  const cote = require('cote')(here(port))
  if (order.work === 'call') {
    const responder = new cote.Responder({ ...node('answering'), respondsTo: ['echo'] }, here(port))
    responder.on('echo', (request, reply) => reply(null, request.body))
    return port
  }
  const publisher = new cote.Publisher({ ...node('publishing'), broadcasts: ['news'] }, here(port))
  go.then(() => publish(
    (number) => publisher.publish('news', { number, body: order.body }),
    () => fullest(publisher.sock.sock.socks)
  ))
  return port
}

async function caller (order) {
  const cote = require('cote')(here(order.at))
  const requester = new cote.Requester({ ...node('calling'), requests: ['echo'] }, here(order.at))
  const request = () => ({ type: 'echo', body: order.body })
  return async () => whole(await requester.send(request()), order)
}

function reader (order, heard) {
  const cote = require('cote')(here(order.at))
  const subscriber = new cote.Subscriber({ ...node('listening'), subscribesTo: ['news'] }, here(order.at))
  subscriber.on('news', (message) => heard(message.number))
  return new Promise((resolve) => subscriber.sock.sock.on('connect', resolve))
}

run({ source, caller, reader })
