import { MemoryStore } from './memory-store.ts';
import { storeCompliance } from './store.compliance.ts';

describe('the store in memory', () => {
  storeCompliance(async () => new MemoryStore());
});
