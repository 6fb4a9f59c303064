// Preloaded into node (--require): servers that would listen on every interface listen on loopback only.
const { Server } = require('node:net');

const listen = Server.prototype.listen;

Server.prototype.listen = function (first, ...rest) {
  if (typeof first === 'object' && first !== null && first.path === undefined) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest);
  }
  const port = Number(first);
  const done = rest.filter((argument) => typeof argument === 'function');
  return Number.isInteger(port) ? listen.call(this, { port, host: '127.0.0.1' }, ...done) : listen.call(this, first, ...rest);
};
