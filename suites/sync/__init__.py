"""The arithmetic of lip-sync scores as SyncNet's pipelines compute them: sound, faces, tracks, crops, distances, clips. No file is read here."""
