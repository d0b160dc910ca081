// The same edit with the Node library `ai` and its provider for Together.

import { createTogetherAI } from '@ai-sdk/togetherai';
import { generateImage } from 'ai';
import { BASE, KEY, images, measure } from './edit.mjs';

const together = createTogetherAI({ apiKey: KEY, baseURL: `${BASE}/v1` });

await measure(async () => {
  const answer = await generateImage({
    model: together.image('black-forest-labs/FLUX.2-dev'),
    prompt: 'p',
    maxRetries: 0,
    // Of images in the prompt it would send the first alone, under a name that this model ignores.
    providerOptions: { togetherai: { reference_images: await images() } },
  });
  return answer.image.uint8Array.length;
});
