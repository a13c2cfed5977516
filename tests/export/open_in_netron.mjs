// Open model files with Netron's parser. Print one JSON line per file: its format, and the names of its inputs, outputs
// and metadata.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const [root, ...files] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(root, name)));
const { ModelFactoryService } = await load('view.js');
const { FileStream } = await load('node.js');

const host = {
    environment: () => null,
    require: (id) => load(`${id}.js`),
    request: async (file, encoding, base) => {
        const name = path.join(base || root, file);
        if (encoding) {
            return fs.readFileSync(name, encoding);
        }
        const stat = fs.statSync(name);
        return new FileStream(name, 0, stat.size, stat.mtimeMs);
    },
    exception: (error) => { throw error; },
    event: () => {},
};

for (const file of files) {
    const stat = fs.statSync(file);
    const context = {
        identifier: path.basename(file),
        name: file,
        entries: new Map(),
        stream: new FileStream(file, 0, stat.size, stat.mtimeMs),
        request: (name, encoding, base) => host.request(name, encoding, base === undefined ? path.dirname(file) : base),
        require: host.require,
        error: (error) => { throw error; },
    };
    const model = await new ModelFactoryService(host).open(context);
    const [graph] = model.modules || model.graphs;
    console.log(JSON.stringify({
        format: model.format,
        inputs: graph.inputs.map((item) => item.name),
        outputs: graph.outputs.map((item) => item.name),
        metadata: [...(model.metadata || []), ...(graph.metadata || [])].map((item) => item.name),
    }));
}
