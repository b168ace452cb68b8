export { default } from '../../examples/cloudflare-workers/src/index.ts'
