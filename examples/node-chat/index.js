// A chat under Express: one line differs from the same program on Socket.IO for Node.

'use strict';

const { createServer } = require('node:http');
const express = require('express');
const { Server } = require('socketio-rs');

const app = express();
const server = createServer(app);
const io = new Server(server);

app.use(express.static(`${__dirname}/public`));

io.on('connection', (socket) => {
  socket.on('join', (name, answer) => {
    socket.data.name = String(name).slice(0, 40) || 'somebody';
    socket.join('lobby');
    socket.to('lobby').emit('joined', socket.data.name);
    answer([...io.sockets.sockets.values()].map((one) => one.data.name).filter(Boolean));
  });
  socket.on('message', (text) => io.to('lobby').emit('message', socket.data.name, String(text).slice(0, 1000)));
  socket.on('disconnect', () => socket.data.name && io.to('lobby').emit('left', socket.data.name));
});

server.listen(process.env.PORT ?? 3000, () => console.log(`http://localhost:${server.address().port}`));
