// The same edit with the Node library `together-ai`.

import Together from 'together-ai';
import { BASE, KEY, images, measure } from './edit.mjs';

const client = new Together({ apiKey: KEY, baseURL: `${BASE}/v1`, maxRetries: 0 });

await measure(async () => {
  const answer = await client.images.generate({
    model: 'black-forest-labs/FLUX.2-dev',
    prompt: 'p',
    response_format: 'base64',
    reference_images: await images(),
  });
  return Buffer.from(answer.data[0].b64_json, 'base64').length;
});
