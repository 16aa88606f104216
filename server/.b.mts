import { Store, FileSource, LocalView } from './index.ts'
const p = process.argv[2]
const t0 = performance.now()
const store = new Store(); 
const c = () => () => {}
using view = new LocalView(store, 'kpng-worker1', { setNode: c(), setService: c(), deleteService: c(), sync: c() })
await using src = new FileSource(store, [p])
await src.start(); const t1 = performance.now(); view.flush(); const t2 = performance.now()
console.log(p, 'read+store', (t1-t0)|0, 'view', (t2-t1)|0)
