// Calls the methods of geteventstore-promise's HTTP client that standard input lists, each as an array of the
// method's name and its arguments, and prints what each of them gave.
'use strict';

const { readFileSync } = require('node:fs');
const { HTTPClient } = require('geteventstore-promise');

const { hostname, port } = new URL(process.argv[2]);
const client = new HTTPClient({ hostname, port, credentials: { username: 'admin', password: 'changeit' } });
const calls = JSON.parse(readFileSync(0, 'utf8'));

async function answer([method, ...parameters]) {
    try {
        return { value: await client[method](...parameters) };
    } catch (error) {
        const { status, statusText, headers } = error.response ?? {};
        return { error: error.message, status, statusText, headers };
    }
}

(async () => {
    const answers = [];
    for (const call of calls) answers.push(await answer(call));
    console.log(JSON.stringify(answers));
})();
