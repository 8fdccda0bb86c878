"""Holds sigla's adapters to the reference library and to PEFT, on the tiny checkpoints beside this file.

For each folder a LoRA of the PEFT library (rank 3, alpha 6, on q, v and fc1 of both towers) gets random A and B and other
t' and b. Then, against the embeddings and logits of PEFT's model in float64:

  adapter   the same A and B as sigla's adapter file, used with --adapter
  merged    sigla adapters FILE --merge, loaded by the reference library in float32
  peft      sigla adapters FILE --peft, loaded by PEFT in float32

Limits are those of README.md: embeddings 5e-6, logits 2e-5. With --write the adapter and what is expected of it are stored
in the folders, for the tests in Go.

Needs: torch, transformers >= 5, peft, safetensors, tokenizers, sentencepiece, protobuf, pillow < 13, numpy. Nothing is
downloaded.
usage: python check_lora.py SIGLA [--write]
"""
import os, sys
os.environ.setdefault('HF_HUB_OFFLINE', '1'); os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
import json, subprocess, tempfile
import numpy as np, torch
from PIL import Image
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModel

HERE = os.path.dirname(os.path.abspath(__file__))
SIGLA, WRITE = os.path.abspath(sys.argv[1]), '--write' in sys.argv
RANK, ALPHA = 3, 6


def sigla(home, *args):
    env = dict(os.environ, HOME=home, XDG_DATA_HOME=home + '/data', XDG_CONFIG_HOME=home + '/config', XDG_CACHE_HOME=home + '/cache')
    return subprocess.run([SIGLA, *args], check=True, capture_output=True, text=True, env=env).stdout


def reference(model, pixels, ids):
    with torch.no_grad():
        dtype = next(model.parameters()).dtype
        out = model(input_ids=ids, pixel_values=pixels.to(dtype))
    return {'image_embeds': out.image_embeds.double(), 'text_embeds': out.text_embeds.double(), 'logits_per_image': out.logits_per_image.double()}


def adapted(folder):
    """PEFT's model with random updates, in float64, and its tensors."""
    torch.manual_seed(5)
    base = AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=r'.*\.encoder\.layers\.\d+\.(self_attn\.(q|v)_proj|mlp\.fc1)')
    model = get_peft_model(base, config).eval()
    tensors = {}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if 'lora_' in name:
                p.copy_((torch.randn(p.shape) * 0.2).double())  # float32 values
                tensors[name.replace('.default.', '.')] = p.detach().float().contiguous()
        base.logit_scale.fill_(float(np.float32(2.5))); base.logit_bias.fill_(float(np.float32(-7.25)))
    for name in ('logit_scale', 'logit_bias'):
        tensors['base_model.model.' + name] = getattr(base, name).detach().float().reshape(1)
    return model, tensors


def worst(name, got, want, limit):
    off = float((got - want).abs().max())
    print(f'    {name:<17} off by {off:.1e}, limit {limit:.0e}')
    if not off <= limit:
        sys.exit(f'{name}: off by {off}, limit {limit}')


def compare(what, got, want):
    print('  ' + what)
    for key, limit in ('image_embeds', 5e-6), ('text_embeds', 5e-6), ('logits_per_image', 2e-5):
        if key in got:
            worst(key, got[key], want[key], limit)


def check(name, tmp):
    folder = os.path.join(HERE, name)
    print(name)
    expected = json.load(open(folder + '/expected.json'))
    files = [os.path.join(folder, i['file']) for i in expected['images']]
    pixels = AutoImageProcessor.from_pretrained(folder, backend='pil')(images=[Image.open(f).convert('RGB') for f in files], return_tensors='pt')['pixel_values']
    ids = torch.tensor(expected['input_ids'])
    model, tensors = adapted(folder)
    want = reference(model, pixels, ids)

    home = os.path.join(tmp, name)
    digest = json.loads(sigla(home, 'models', '--check', folder, '--format', 'json'))['digest']
    card = {'depth': 'lora', 'base': {'name': name, 'digest': digest}, 'alpha': ALPHA, 'data': {'photos': 0}, 'seed': 5,
            'made': '2026-01-01T00:00:00Z', 'program': 'check_lora.py'}
    adapter = home + '.safetensors'
    save_file(tensors, adapter, {'format': 'pt', 'sigla.adapter': '1', 'sigla.card': json.dumps(card), 'sigla.labels': '[]'})
    if WRITE:
        os.replace(adapter, folder + '/lora.safetensors'); adapter = folder + '/lora.safetensors'
        json.dump({k: v.tolist() for k, v in want.items()}, open(folder + '/lora.json', 'w'))

    common = ['--model', folder, '--adapter', adapter, '--format', 'json']
    rows = lambda out: torch.tensor([json.loads(line)['embedding'] for line in out.splitlines()], dtype=torch.float64)
    texts = [a for t in expected['texts'] for a in ('--text', t)]
    got = {'image_embeds': torch.cat([rows(sigla(home, 'embed', f, *common)) for f in files]), 'text_embeds': rows(sigla(home, 'embed', *texts, *common))}
    got['logits_per_image'] = got['image_embeds'] @ got['text_embeds'].T * np.exp(2.5) - 7.25
    compare('adapter', got, want)

    sigla(home, 'adapters', adapter, '--model', folder, '--merge', home + '-merged')
    compare('merged', reference(AutoModel.from_pretrained(home + '-merged', dtype=torch.float32).eval(), pixels, ids), want)
    sigla(home, 'adapters', adapter, '--peft', home + '-peft')
    base = AutoModel.from_pretrained(folder, dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, home + '-peft').eval()
    compare('peft', reference(peft, pixels, ids), want)


with tempfile.TemporaryDirectory() as tmp:
    for name in 'siglip-bicubic', 'siglip2-fixed':
        check(name, tmp)
