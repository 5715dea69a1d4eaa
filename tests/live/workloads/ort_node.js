// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// onnxruntime-node: node ort_node.js NODE_MODULES MODEL CALLS FAILURES [wait]. The last line is JSON, as that of ort_calls.py.
'use strict';
const path = require('path');
const readline = require('readline');

const [modules, model, calls, failures, wait] = process.argv.slice(2);
const lines = wait ? readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]() : null;

async function sayAndWait(word) {
	if (!lines)
		return;
	console.log(word);
	await lines.next();
}

async function main() {
	const ort = require(path.join(modules, 'onnxruntime-node'));
	await sayAndWait('before-load');
	const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
	const counts = { calls: 0, failures: 0, batches: {}, seconds: 0 };
	await sayAndWait('loaded');
	for (let i = 0; i < Number(calls); i++) {
		const batch = 1 << (i % 4);
		const x = new ort.Tensor('float32', new Float32Array(batch * 16).fill(0.5), [batch, 16]);
		const began = process.hrtime.bigint();
		await session.run({ x });
		counts.seconds += Number(process.hrtime.bigint() - began) / 1e9;
		counts.calls++;
		counts.batches[batch] = (counts.batches[batch] || 0) + 1;
	}
	for (let i = 0; i < Number(failures); i++) {
		try {
			await session.run({ x: new ort.Tensor('float32', new Float32Array(16), [1, 1, 16]) });
		} catch {
			counts.failures++;
			continue;
		}
		throw new Error('a wrong rank was accepted');
	}
	await sayAndWait('done');
	console.log(JSON.stringify({ models: { [path.basename(model)]: counts } }));
	process.exit(0);
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
