// Keeps the peers on this host, and one of them alive: loaded before their own code.
//
// cote's servers would listen on every address. masterless asks for the time since an empty time, which Node refuses since
// version 10.
'use strict'
const net = require('net')

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...words) {
  if (typeof words[0] === 'number') {
    if (typeof words[1] === 'string') words[1] = '127.0.0.1'
    else words.splice(1, words[1] === undefined ? 1 : 0, '127.0.0.1')
  }
  return listen.apply(this, words)
}

const hrtime = process.hrtime
const mended = (since) => hrtime(Array.isArray(since) && since.length === 2 ? since : undefined)
process.hrtime = Object.assign(mended, { bigint: hrtime.bigint })
